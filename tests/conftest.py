"""What holds for every test."""


def pytest_make_parametrize_id(val, argname):
    """A file's content is no name: one made here may hold the second it was made in, and two workers that name a test
    differently run none."""
    return argname if isinstance(val, bytes) else None
