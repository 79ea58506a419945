// Nothing is asked of other hosts: no validator, no fonts, no analytics.
window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#ui",
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis],
});
fetch("/asyncapi.json", { method: "HEAD" }).then((response) => {
  document.getElementById("sockets").hidden = !response.ok;
});
