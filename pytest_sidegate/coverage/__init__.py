"""Contract, exchanges -> what of the contract was seen, and what was missed.

`points.py` says what there is to see, `seen.py` what one exchange shows of it, `data.py` keeps that over workers and runs,
`report.py` lays the two side by side, and `text.py`, `page.py` and `Report.document` tell it. Only `plugin.py` needs pytest.
"""
