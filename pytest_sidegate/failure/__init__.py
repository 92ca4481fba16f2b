"""A contract test that failed -> what was asked, the violated line of the contract, the decision trace, and a curl line.

`sections.py` words a request and its verdict, `curl.py` the line; `plugin.py` adds them to reports of pytest, and nothing
else needs it.
"""
