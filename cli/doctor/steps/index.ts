import type { Step } from '../step.ts';
import { authorizationSteps } from './authorization.ts';
import { cleanUpSteps } from './clean-up.ts';
import { corsSteps } from './cors.ts';
import { jwksSteps } from './jwks.ts';
import { mcpEndpointSteps } from './mcp-endpoint.ts';
import { metadataContentSteps } from './metadata-contents.ts';
import { metadataDocumentSteps } from './metadata-documents.ts';
import { networkSteps } from './network.ts';
import { oauthErrorSteps } from './oauth-errors.ts';
import { redirectSteps } from './redirects.ts';
import { refreshSteps } from './refresh.ts';
import { registrationSteps } from './registration.ts';
import { resourceMetadataSteps } from './resource-metadata.ts';
import { revocationSteps } from './revocation.ts';
import { signInSteps } from './sign-in.ts';
import { tokenSteps } from './tokens.ts';
import { toolDefinitionSteps } from './tool-definitions.ts';
import { toolCallSteps, toolListSteps } from './tools.ts';

/** Everything that is looked at, in the order in which a client would meet it. docs/doctor.md tells of each. */
export const STEPS: readonly Step[] = [
  ...networkSteps,
  ...mcpEndpointSteps,
  ...resourceMetadataSteps,
  ...metadataDocumentSteps,
  ...metadataContentSteps,
  ...jwksSteps,
  ...corsSteps,
  ...oauthErrorSteps,
  ...registrationSteps,
  ...authorizationSteps,
  ...redirectSteps,
  // From here on only with a login.
  ...signInSteps,
  ...tokenSteps,
  ...toolListSteps,
  ...toolDefinitionSteps,
  ...toolCallSteps,
  ...refreshSteps,
  ...revocationSteps,
  ...cleanUpSteps,
];
