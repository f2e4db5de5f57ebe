"""The plainest path, made by ip(8): a client, a router and a server, each in a namespace of that name."""


def routed_line(*, client: str = "c", server: str = "s", inside: str = "rc", outside: str = "rs") -> str:
    """Return the shell script that makes it; the arguments name its interfaces, two of them the router's.

    The client is 192.0.2.2, the server 198.51.100.2, the router .1 on both sides.
    """
    return f"""
set -e
for n in client router server; do ip netns add $n; ip -n $n link set lo up; done
ip link add {client} netns client type veth peer name {inside} netns router
ip link add {server} netns server type veth peer name {outside} netns router
ip -n client addr add 192.0.2.2/24 dev {client}; ip -n client link set {client} up
ip -n router addr add 192.0.2.1/24 dev {inside}; ip -n router link set {inside} up
ip -n router addr add 198.51.100.1/24 dev {outside}; ip -n router link set {outside} up
ip -n server addr add 198.51.100.2/24 dev {server}; ip -n server link set {server} up
ip -n client route add default via 192.0.2.1; ip -n server route add default via 198.51.100.1
ip netns exec router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
"""
