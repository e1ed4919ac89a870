"""The command line: a table of verbs, each a function that is imported when it is called.

Results go to stdout and everything said to a person to stderr.  The exit code is 0, or 1 when the machine or
a proof failed, 2 for what the user must mend, 130 after Ctrl-C.  ``QKVAE_DEBUG=1`` shows the traceback.
"""

from qkvae.cli.app import VERBS, main

__all__ = ["VERBS", "main"]
