# The app as an image:  docker build -t attnviz .  &&  docker run --rm -p 8501:8501 attnviz
# It runs as a user without rights, needs no internet, and writes only below /tmp, so it runs with --read-only --tmpfs /tmp.
ARG PYTHON_VERSION=3.11
FROM python:${PYTHON_VERSION}-slim

WORKDIR /app

# The registry's torch for Linux carries CUDA and works with `--gpus all`. For a smaller image without it, name the index
# of CPU builds, as PyTorch's page "Start Locally" gives it: --build-arg TORCH_INDEX_URL=...
ARG TORCH_INDEX_URL=""
# Before the code, so that a change of the code does not install everything again. pip also compiles what it installs:
# nothing could be compiled later, on a read-only file system. The libraries' own tests, torch's C++ headers and test
# programs, maps for debugging, and what pyarrow has for reading over a network serve nobody here: they are a seventh of
# the image. /models is for a volume with
# downloaded models: a new volume takes its owner from the folder that it covers.
COPY requirements.txt ./
RUN if [ -n "$TORCH_INDEX_URL" ]; then \
        pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX_URL" "$(grep '^torch==' requirements.txt)"; \
    fi \
    && pip install --no-cache-dir --requirement requirements.txt \
    && packages="$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
    && rm -rf "$packages/torch/include" "$packages/torch/test" "$packages/pyarrow/include" \
    && find "$packages/pyarrow" -maxdepth 1 -name '*flight*' -delete \
    && find "$packages/pyarrow" -maxdepth 1 -name 'libarrow_s3*' -delete \
    && find "$packages/torch/bin" -type f ! -name torch_shm_manager -delete \
    && find "$packages" -type d -name tests -prune -exec rm -rf {} + \
    && find "$packages" -type f -name '*.js.map' -delete \
    && install -d -o 10001 -g 10001 /models

COPY LICENSE app.py ./
COPY .streamlit .streamlit
COPY pages pages
COPY attnviz attnviz
# The files come with the rights that they have in the folder they are copied from; a strict umask would lock the user out.
RUN python -m compileall -q app.py pages attnviz \
    && find . \( -type d ! -perm -555 -o -type f ! -perm -444 \) -exec chmod a+rX {} +

# A number, so that a cluster can see that it is not root. It has no entry in /etc/passwd: HOME and USER stand in for it.
USER 10001:10001
ENV HOME=/tmp \
    USER=attnviz \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0 \
    STREAMLIT_SERVER_PORT=8501 \
    STREAMLIT_SERVER_HEADLESS=true
# The address in the first lines of the log; where none is set, Streamlit asks a web service for it at every start.
ENV STREAMLIT_BROWSER_SERVER_ADDRESS=localhost

EXPOSE 8501
# http.client, because it goes straight to the port, whatever proxy the environment names.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client as h, os, sys; e = os.environ; c = h.HTTPConnection('127.0.0.1', int(e['STREAMLIT_SERVER_PORT']), timeout=4); c.request('GET', os.path.join('/', e.get('STREAMLIT_SERVER_BASE_URL_PATH', ''), 'healthz')); sys.exit(c.getresponse().status != 200)"]

CMD ["python", "-m", "streamlit", "run", "app.py"]
