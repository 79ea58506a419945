// WebSockets of Bun, which are uWebSockets: `/echo` sends a message back, `/room` sends
// it to everybody.
const [hostname, port] = process.argv[2].split(":");

const server = Bun.serve({
  hostname,
  port: Number(port),
  fetch(request, server) {
    const isRoom = request.url.endsWith("/room");
    if (!server.upgrade(request, { data: { isRoom } })) return new Response("", { status: 426 });
  },
  websocket: {
    open(socket) {
      if (socket.data.isRoom) socket.subscribe("room");
    },
    message(socket, message) {
      if (socket.data.isRoom) server.publish("room", message);
      else socket.send(message);
    },
  },
});
