"""Tell where Ray's dashboard is: an address that opens where the command was given, or the way to it.

Knows no Ray.
"""

from actors.ray_pool import gcs_probe
from actors.ray_pool.address import GcsAddress, is_loopback, parse
from actors.ray_pool.token import HeldToken
from sweeps.errors import UserError


def line(url: str | None, gcs: GcsAddress, token: HeldToken | None) -> str | None:
    """One line about a dashboard; None where there is none, or none that answers.

    Args:
        url: what Ray says of its address, mostly HOST:PORT.
        gcs: the control process, on whose host the dashboard is.
        token: what the dashboard asks for; None: nothing.
    """
    if not url:
        return None
    try:
        dashboard = parse(url.partition("://")[2].partition("/")[0] or url, "dashboard", "")
    except UserError:  # a name of the user's (RAY_OVERRIDE_DASHBOARD_URL), such as a proxy before it
        return f"Ray dashboard: {url}"
    asks = f" (it asks for the token in {token.source})" if token else ""
    if is_loopback(dashboard.host) and not gcs.is_here:
        tunnel = f"ssh -L {dashboard.port}:{dashboard} {gcs.host}"
        return f"Ray dashboard: {tunnel}, then http://127.0.0.1:{dashboard.port}{asks}"
    try:
        gcs_probe.check_reachable(dashboard.host, dashboard.port)
    except gcs_probe.NoRayThere:
        return None
    return f"Ray dashboard: http://{dashboard}{asks}"
