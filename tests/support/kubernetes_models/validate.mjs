// Objects against the schemas of their kinds: node validate.mjs MODULES OBJECTS_AS_JSON
// Prints a list with what is wrong with each; null where nothing is.
import {pathToFileURL} from 'node:url';

const [modules, objects] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(`${modules}/${file}`));
const {Ingress} = await load('kubernetes-models/networking.k8s.io/v1/Ingress.js');
const {HTTPRoute} = await load('@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute.js');
const kinds = {Ingress, HTTPRoute};
const problems = JSON.parse(objects).map((object) => {
  try {
    new kinds[object.kind](object).validate();
    return null;
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify(problems));
