"""The product: one package per feature, each the home of all that needs thinking about it."""
