/** The FIFO in a container's folder that its process opens to wait for `start`. */
export const EXEC_FIFO = "exec.fifo";
