"""What may be claimed: learned routers and how they are judged, off-policy estimates, probes.

The only package that uses scikit-learn, and only inside functions.
"""
