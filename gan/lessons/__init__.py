"""The paper's theory and the slides of 2016 as experiments, each with numbers that can fail."""
