"""Injection: what is added to pods, and the rules that capture their traffic. Pure but for the program that applies them."""
