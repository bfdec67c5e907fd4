import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Child processes, real disks and two cores: a slow machine must not turn into a red test.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most tests wait for processes, disks and peers: one at a time leaves half of two cores idle.
    maxWorkers: 2,
  },
});
