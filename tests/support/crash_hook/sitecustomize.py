"""Python runs this at the start of each process that has this folder on its path."""

from tests.support import crash_points, publish_points, quick_backups

crash_points.install()
publish_points.install()
quick_backups.install()
