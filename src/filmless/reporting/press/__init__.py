"""Printed reports: what stands on the paper (layout.py, report.typ), its pictures, and the process that sets it.

Setting a page needs Typst and its fonts, some 100 MB of memory: it is done in a process that ends afterwards.
"""
