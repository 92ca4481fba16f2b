# One image; the command says which role it has: sidegate sidecar | envoy | companion | control-plane.
# Everything in it is named in requirements.lock with its hashes, Envoy too.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv --without-pip /opt/sidegate
COPY requirements.lock /src/
RUN python -m pip --python /opt/sidegate install --require-hashes --only-binary :all: -r /src/requirements.lock
COPY xds /opt/sidegate/app/xds
COPY sidecar /opt/sidegate/app/sidecar
COPY pytest_sidegate /opt/sidegate/app/pytest_sidegate
# The packages are found where they lie: nothing has to be built, so nothing that builds has to be fetched.
RUN echo /opt/sidegate/app > "$(/opt/sidegate/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/sidegate.pth"
RUN printf '#!/opt/sidegate/bin/python -P\nimport sys\n\nfrom xds.cli import main\n\nsys.exit(main())\n' > /opt/sidegate/bin/sidegate && chmod 755 /opt/sidegate/bin/sidegate
RUN find /opt/sidegate/lib -depth -type d \( -name tests -o -name test \) -exec rm -rf {} + && find /opt/sidegate/lib -name '*.pyi' -delete
# The file system is read-only where this runs: modules are compiled now or at every start.
RUN /opt/sidegate/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/sidegate/lib /opt/sidegate/app

FROM python:${PYTHON}-slim-bookworm
# Certificates of public authorities for https upstreams; iptables for `sidegate redirect`, the one role that needs it.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates iptables && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/sidegate /opt/sidegate
ENV PATH=/opt/sidegate/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
RUN install -d -o 65532 -g 65532 -m 700 /var/run/sidegate /var/lib/sidegate
USER 65532:65532
ENTRYPOINT ["sidegate"]
CMD ["--help"]
