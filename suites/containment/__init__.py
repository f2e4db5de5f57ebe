"""Does anything but what may leave this sandbox, container, VPN or cluster? Each number, from the box and its twin."""
