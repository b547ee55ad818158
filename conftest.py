"""The plugin that the installed package registers, also for a checkout that was installed before the plugin was there."""

pytest_plugins = ["pytest_drills"]
