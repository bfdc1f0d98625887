"""What the training step and the estimator cost, beside what they could cost and what others take: `make bench`.

Every module here with a function

    def rows(effort: Effort, device: torch.device) -> Iterator[Row]

is a section of the table. The first line of its docstring is the section's heading and the rest the text under it;
`ORDER` says where it stands, and one with `ON_REQUEST` is run only where it is named. Sections measure and print;
nothing here asserts how long anything takes. The tests run every section on tiny sizes, and compare the two sides of a
row where they should compute the same.
"""
