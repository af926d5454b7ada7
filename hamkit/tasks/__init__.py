"""The tasks that people and scripts call; each reads flags, calls the library, shows the result.

The one room that knows Invoke; nothing else of the library imports it.
Exit codes: 0 pass, 1 the thing under test failed, 2 the user's mistake, 3 the
environment lacks something.
"""
