"""A report of run folders: one HTML page that needs nothing else, on a phone or a desk.

- `collect`: what evaluate.json and train.json say, made ready to show;
- `plots`: its pictures, as SVG whose colours follow the page's;
- `report.html.jinja`: the page.
"""

from host_sdk.report.page import render, write_report

__all__ = ["render", "write_report"]
