"""Trains and serves a real classifier: the handwritten digits that scikit-learn ships, on its own data.

eco2ai-fast run -- python examples/digits.py
"""

from __future__ import annotations

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import eco2ai_fast as eco

REQUESTS = 2_000


def main() -> None:
    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=0.25, random_state=0)
    model = make_pipeline(StandardScaler(), MLPClassifier((128, 64), max_iter=200, random_state=0))

    with eco.measure("training") as training:
        model.fit(train_x, train_y)
    with eco.measure("serving") as serving:
        for request in range(REQUESTS):
            model.predict(test_x[[request % len(test_x)]])

    print(f"accuracy {model.score(test_x, test_y):.3f} on {len(test_x)} digits that it never saw")
    print(training)
    print(serving)
    print("serving:", serving.per("request", REQUESTS))


if __name__ == "__main__":
    main()
