// Starts Swagger UI on the daemon's own document. Nothing is asked of any other host.
"use strict";

window.ui = SwaggerUIBundle({
  url: "/api-docs/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "none",
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
  syntaxHighlight: { activated: true, theme: "agate" },
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
