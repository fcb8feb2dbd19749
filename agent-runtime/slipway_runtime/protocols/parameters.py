"""What is wrong with one parameter of a request, for protocols that name it apart from the words."""

from slipway_runtime.problems import Problem, Reason


class BadParameter(Problem):
    """A parameter that is not taken as it is."""

    def __init__(self, param: str, detail: str) -> None:
        super().__init__(Reason.INVALID_REQUEST, f"{param}: {detail}")
        self.param = param
