"""Options for tests and drills alike come from the plugin `harness.pytest_plugin`, which the installed package registers."""
