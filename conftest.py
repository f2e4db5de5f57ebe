"""Loads the plugin from a bare checkout; installed, its entry point has done so already."""

import sys

if "pytest_hdp.plugin" not in sys.modules:
    pytest_plugins = ["pytest_hdp.plugin"]
