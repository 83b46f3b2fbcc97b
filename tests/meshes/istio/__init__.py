"""Istio's adapter."""
