# The server and its admin command, as a user without rights. Everything is decided by the environment; docs/deploying.md.
FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY . .
# For the embedded store, if there is no REDIS_URL: a volume belongs here.
RUN mkdir /data && chown node:node /data
# Where the first start leaves what it compiled; done once here, so that every start finds it.
RUN mkdir -p node_modules/.cache/compile && chown -R node:node node_modules/.cache
USER node
RUN ["node_modules/.bin/node", "--eval", "require('node:module').enableCompileCache('/app/node_modules/.cache/compile'); import('/app/serve.ts')"]
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Not npm: it would stand between us and SIGTERM.
CMD ["node_modules/.bin/node", "server.js"]
