"""Formats of Hubble: flow exports in JSON and the printers of ``hubble observe``."""
