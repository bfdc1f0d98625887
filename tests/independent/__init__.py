"""The paper's recipe written a second time, by automatic differentiation, from nothing of `gan`."""
