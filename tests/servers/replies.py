"""Replies of a server to what it is asked."""


class ForAll(dict):
    """One reply to whatever is asked."""

    def __init__(self, reply):
        super().__init__()
        self.reply = reply

    def __contains__(self, _):
        return True

    def __getitem__(self, _):
        return self.reply
