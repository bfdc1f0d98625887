# One image for machines with and without a GPU: the lock has torch's CUDA build, which runs without one, too.
#
#   docker build --tag gan .
#   docker run --name gan gan                                    the plan, the graph and the table: make reproduce
#   docker run --name gan --gpus all gan make reproduce          on a GPU, with NVIDIA's container toolkit
#   docker cp gan:/home/gan/gan/reports reports                  the page, the numbers and the figures
#   docker run --rm --volume /folder/with/data:/data --env GAN_DATA=/data gan
FROM debian:bookworm-slim

RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git make python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home gan

USER gan
WORKDIR /home/gan/gan
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PIP_NO_CACHE_DIR=1

# What set-up needs comes first, so that the environment is made anew only when the lock changes. There is no git clone
# yet, which `make setup` would ask for.
COPY --chown=gan requirements.lock ./
COPY --chown=gan gan/__init__.py gan/errors.py gan/
COPY --chown=gan pipeline/__init__.py pipeline/
COPY --chown=gan pipeline/commands/__init__.py pipeline/commands/setup.py pipeline/commands/
RUN python3 -m pipeline.commands.setup .venv

COPY --chown=gan . .
CMD ["make", "reproduce"]
