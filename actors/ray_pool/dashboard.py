"""Describes where Ray's dashboard is: an address that opens on the user's machine, or a tunnel to it.

Imports no Ray.
"""

from actors.ray_pool import gcs_probe
from actors.ray_pool.address import GcsAddress, is_loopback, parse
from actors.ray_pool.token import HeldToken
from sweeps.errors import UserError


def line(url: str | None, gcs: GcsAddress, token: HeldToken | None) -> str | None:
    """Return a line about a dashboard; None without a dashboard, or if it does not answer.

    Args:
        url: address as Ray returns it, mostly HOST:PORT.
        gcs: address of the control process; the dashboard is on the same host.
        token: the token that the dashboard asks for; None: it asks for none.
    """
    if not url:
        return None
    try:
        dashboard = parse(url.partition("://")[2].partition("/")[0] or url, "dashboard", "")
    except UserError:  # a name that the user gave (RAY_OVERRIDE_DASHBOARD_URL), such as a proxy's
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
