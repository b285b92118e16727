"""A Hub that records what is published, in place of the one in the network."""


class FakeApi:
    def __init__(self, error=None):
        self.calls, self.error = [], error

    def create_repo(self, name, **options):
        self.calls.append((name, options))
        return f"https://hub.invalid/{name}"

    def upload_folder(self, **options):
        if self.error:
            raise self.error
        self.calls.append(options)
