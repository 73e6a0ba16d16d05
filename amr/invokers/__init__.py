"""Functions: found by name in a registry, called with a JSON body, in Python or over HTTP."""
