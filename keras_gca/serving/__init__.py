"""Chats in the terminal and in the browser, with whatever agent replies. Knows neither paper."""
