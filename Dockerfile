# syntax=docker/dockerfile:1

FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# No install script is needed: the compiler is JavaScript, and the packages with PostgreSQL stay out below.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src ./src
COPY routes ./routes
# A container keeps its events in a volume or in a PostgreSQL beside it: the embedded one would be 60 MB that nobody starts.
RUN npm run build \
  && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:22-bookworm-slim
LABEL org.opencontainers.image.title="Stele" \
      org.opencontainers.image.description="An event store service on files or in front of your own PostgreSQL" \
      org.opencontainers.image.licenses="MIT"
# tini reaps processes and passes signals on: Node is not made to be process 1.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production \
    STELE_HOST=0.0.0.0
WORKDIR /app
COPY LICENSE package.json ./
COPY migrations ./migrations
COPY openapi ./openapi
COPY catalogues ./catalogues
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
# Where nothing names a store the events are in ./data.
RUN mkdir data && chown node:node data
VOLUME /app/data
USER node
EXPOSE 7373
# Alive, not ready: to restart the service because its database is away would help nobody.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.STELE_PORT || 7373) + '/livez').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["node", "dist/src/main.js", "serve"]
