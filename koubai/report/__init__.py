"""Figures, tables and the report: one set of figures for report, web page and notebook."""
