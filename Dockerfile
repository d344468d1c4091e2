# One image for every component, the command line and Bookinfo: the command says which.
#   docker run lateen pilot --nats-url nats://...

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts ./scripts
COPY proto ./proto
COPY shared ./shared
COPY services ./services
COPY client ./client
COPY cli ./cli
COPY samples ./samples
RUN npm run -s build && npm prune --omit=dev --no-audit --no-fund

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
# Compiled code finds the generated protobuf code through the package's imports, beside dist.
COPY --from=build /app/shared/wire/gen ./shared/wire/gen
COPY --from=build /app/shared/policy/defaults.yaml ./shared/policy/defaults.yaml
COPY --from=build /app/dist ./dist
COPY scripts/lateen.js ./scripts/lateen.js
COPY samples/bookinfo/rules ./samples/bookinfo/rules
COPY samples/bookinfo/workloads.yaml ./samples/bookinfo/workloads.yaml
# A fresh volume takes over the owner of the folder that it covers.
RUN mkdir -p /data && chown node:node /data
ENV LATEEN_DATA_DIR=/data
USER node
ENTRYPOINT ["node", "--enable-source-maps", "scripts/lateen.js"]
CMD ["--help"]
