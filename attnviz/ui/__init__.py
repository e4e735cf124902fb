"""What only the screens need: shared state, models that stay loaded, components of our own, messages, errors.

The one package in which Streamlit is imported. It computes nothing: maps come from `attnviz.models`, pictures from
`attnviz.figures` and from the components.
"""
