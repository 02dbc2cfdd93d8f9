"""The wire user agent: transactions, dialogs and registration over net."""
