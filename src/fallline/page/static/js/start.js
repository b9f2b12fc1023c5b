// @ts-check
import { start } from 'fallline/main';

start();
