"""Chats in the terminal and in the browser, with any agent. Knows neither paper."""
