"""A stand-in for Stripe: speaks its wire format, keeps its state in a file. So far customers; no money, no network.

A new resource is a module with functions marked `@route`, imported in `resources`.
"""
