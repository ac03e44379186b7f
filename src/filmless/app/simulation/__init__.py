"""Devices and patients that are none, over the real network: for tests, training and demonstrations."""
