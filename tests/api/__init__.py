"""The public API: functions as a user writes and calls them."""
