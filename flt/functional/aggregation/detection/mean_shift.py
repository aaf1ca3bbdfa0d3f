"""Mean shift: clusters of points around the places where most of them are."""

import numpy as np

SLACK = 1.0 + 1e-9  # under which a distance is the bandwidth, but for rounding
MOST_STEPS = 300


def largest_cluster(points: np.ndarray) -> np.ndarray:
    """The largest cluster that mean shift finds with a flat kernel, boolean of shape ``[num_points]``.

    From each point a centre moves to the mean of all points within the bandwidth until it rests. Of the centres, those
    with the most points around them come first, and others within the bandwidth of one before them go. Points belong
    to the nearest centre, or to none where that is further than the bandwidth. The bandwidth is the mean distance of a
    point from its ``floor(n / 2)``-th nearest, itself included; where it is 0, all points are one cluster.

    Args:
        points: Shape ``[num_points, num_features]``.

    Example:
        >>> largest_cluster(np.array([[0.0], [0.2], [5.0], [0.1]]))
        array([ True,  True, False,  True])
    """
    bandwidth = SLACK * np.sort(_distances(points, points), axis=1)[:, max(len(points) // 2, 1) - 1].mean()
    if bandwidth == 0:
        return np.ones(len(points), dtype=bool)
    centers = _centers(_at_rest(points, bandwidth), points, bandwidth)
    distances = _distances(points, centers)
    nearest = distances.argmin(axis=1)
    sizes = np.bincount(nearest[distances.min(axis=1) <= bandwidth], minlength=len(centers))
    found: np.ndarray = (nearest == sizes.argmax()) & (distances.min(axis=1) <= bandwidth)
    return found


def _at_rest(points: np.ndarray, bandwidth: float) -> np.ndarray:
    """Where a centre that starts at each point comes to rest, shape ``[num_points, num_features]``."""
    centers = points
    for _ in range(MOST_STEPS):
        is_near = (_distances(centers, points) <= bandwidth).astype(np.float64)
        moved = is_near @ points / is_near.sum(axis=1, keepdims=True)
        shift = np.abs(moved - centers).max()
        centers = moved
        if shift <= 1e-3 * bandwidth:
            break
    return centers


def _centers(found: np.ndarray, points: np.ndarray, bandwidth: float) -> np.ndarray:
    """The centres that stay, those with the most points first, shape ``[num_centers, num_features]``."""
    counts = (_distances(found, points) <= bandwidth).sum(axis=1)
    # Of as many points the centre that is greater in its first coordinate that differs, rounded.
    order = np.lexsort((*np.round(-found.T, 9)[::-1], -counts))
    found = found[order]
    is_near = _distances(found, found) <= bandwidth
    stays = np.ones(len(found), dtype=bool)
    for number in range(len(found)):
        if stays[number]:
            stays[number + 1 :] &= ~is_near[number, number + 1 :]
    return found[stays]


def _distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each point from each other one, shape ``[num_points, num_others]``."""
    distances: np.ndarray = np.sqrt(((points[:, None, :] - others[None, :, :]) ** 2).sum(axis=2))
    return distances
