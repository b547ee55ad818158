"""The part of the pytest plugin `pytest_drills` that is imported once a drill file is found."""
