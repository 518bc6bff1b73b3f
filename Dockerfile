# The operator's image: one virtual environment on top of the base.
#
# The base needs a python3 of 3.11 or later with venv and pip. Both stages use the same one, because the environment points at its python3.
# EXTRAS=cli makes an image with `kubectl-retrain` in it, for whoever calls it from a pod; the operator needs none of it.
ARG BASE_IMAGE=python:3.12-slim-bookworm

FROM ${BASE_IMAGE} AS build
ARG UV_VERSION=0.13.9
ARG HATCHLING_VERSION=1.29.0
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --quiet "uv==${UV_VERSION}" "hatchling==${HATCHLING_VERSION}"

# Dependencies first: they change less often than the package. Exactly what uv.lock names, every file checked against its hash.
WORKDIR /src
COPY pyproject.toml uv.lock README.md ./
ARG EXTRAS=""
RUN /opt/build/bin/uv export --quiet --frozen --no-dev ${EXTRAS:+--extra "${EXTRAS}"} --no-emit-project --output-file requirements.txt \
    && python3 -m venv --without-pip /opt/retrainer \
    && /opt/build/bin/pip --python /opt/retrainer/bin/python install --quiet --no-compile \
        --no-deps --require-hashes --only-binary :all: --requirement requirements.txt

# What no operator process imports goes. The kubernetes package (75 MB of source) holds two generated clients, both loaded lazily, name by name.
# `kubernetes.aio`, the one we use, stays whole. Of the synchronous one the hand-written part stays, because `import kubernetes` runs it, and the
# models that kopf looks up stay; its API classes and its other models go. The last step of this stage proves that the cut is right.
RUN cd /opt/retrainer/lib/python3*/site-packages \
    && rm -r kubernetes/client/api \
    && find kubernetes/client/models -name '*.py' ! -name __init__.py \
        ! -name v1_object_meta.py ! -name v1_owner_reference.py ! -name v1_managed_fields_entry.py -delete \
    && find . -type d -name tests -prune -exec rm -r {} + \
    && find . -name '*_test.py' -delete

COPY operator operator
RUN /opt/build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/build/bin/pip --python /opt/retrainer/bin/python install --quiet --no-compile --no-deps dist/*.whl

# The root file system is read-only at run time, so bytecode is made here, and without the time stamps that would differ from build to build.
# The generated part of the client is left out: what little of it is ever loaded compiles in less time than the rest takes to be pulled.
RUN /opt/retrainer/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash -x 'kubernetes/aio/client/(api|models)/' /opt/retrainer/lib \
    && /opt/retrainer/bin/python -c 'import kopf, prometheus_client, retrainer.api.v1alpha1, uvloop; from kubernetes.aio import client, config, dynamic, watch; \
        from kopf._cogs.helpers.thirdparty import V1ObjectMetaSync; assert V1ObjectMetaSync and client.CustomObjectsApi and client.V1Job'

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="retrainer" \
    org.opencontainers.image.description="Retrains machine-learning models when they decay and moves traffic to the better version" \
    org.opencontainers.image.licenses="Apache-2.0"
# LOGNAME: kopf calls itself after the user, and a uid without an entry in /etc/passwd (ours, or one that a cluster chose) has no name.
ENV PATH=/opt/retrainer/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LOGNAME=retrainer
COPY --from=build /opt/retrainer /opt/retrainer
USER 65532:65532
ENTRYPOINT ["python", "-m", "retrainer"]
