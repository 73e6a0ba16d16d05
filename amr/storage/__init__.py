"""Files and objects: found, read, and published whole. Nothing here knows of jobs or records."""
