"""Chats in the terminal and in the browser, with an agent of either paper."""
